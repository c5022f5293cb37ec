"""The least a Django project needs; a real one has its SECRET_KEY from the environment."""

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "for the example only")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
WSGI_APPLICATION = "shop.wsgi.application"
USE_TZ = True
