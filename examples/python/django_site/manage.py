# nettool serve examples/python/django_site/manage.py --workers 2 --python /usr/bin/python3
"""Django's own command line; nettool reads from it which project this is."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
