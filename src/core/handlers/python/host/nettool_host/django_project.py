"""Finds the application of a Django project by its manage.py."""

import importlib
import os
import re

from .discover import Found, NotFound

SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\]?\s*[,=]\s*['\"]([\w.]+)")


def find_django(folder, module, config):
    """WSGI where there is a choice, and says why."""
    match = SETTINGS.search(read(os.path.join(folder, module + ".py")))
    named = match and match.group(1)
    settings = os.environ.get("DJANGO_SETTINGS_MODULE") or named
    if not settings:
        raise NotFound("manage.py does not name DJANGO_SETTINGS_MODULE; set it, or name project.wsgi:application")
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    packages = packages_of(settings) + packages_of(named or settings)
    modules = {kind: find_module(folder, packages, kind) for kind in ("wsgi", "asgi")}
    kind, reason = choose_kind(folder, modules, config.get("kind"))
    # The module comes before the settings: it may set what those look for (an .env file).
    name, app = load(modules[kind]) if modules[kind] else load_by_settings(kind)
    found = Found(app, kind, name, reason)
    found.framework = "django"
    return found


def packages_of(settings):
    """The packages a settings module is in, from the nearest outward; '' is manage.py's own folder."""
    parts = settings.split(".")[:-1]
    return [".".join(parts[:count]) for count in range(len(parts), -1, -1)]


def find_module(folder, packages, kind):
    """Where `startproject` puts it: beside the settings, or above them where those are a package."""
    for package in packages:
        name = "%s.%s" % (package, kind) if package else kind
        path = path_of(folder, name)
        if os.path.isfile(path) and re.search(r"\bapplication\b", read(path)):
            return name
    return None


def choose_kind(folder, modules, wanted):
    if wanted:
        return wanted, "as asked"
    if modules["asgi"]:
        if not modules["wsgi"]:
            return "asgi", "Django, and there is no wsgi.py"
        if re.search(r"channels|ProtocolTypeRouter|websocket", read(path_of(folder, modules["asgi"]))):
            return "asgi", "Django, and asgi.py serves more than HTTP"
    return "wsgi", "Django runs its views faster under WSGI: ASGI has one thread for all that is not async"


def load(name):
    return name + ":application", importlib.import_module(name).application


def load_by_settings(kind):
    """What the settings name, as `runserver` has it, or Django's own."""
    from django.conf import settings

    path = getattr(settings, kind.upper() + "_APPLICATION", None)
    if path:
        module, _, name = path.rpartition(".")
        try:
            return "%s:%s" % (module, name), getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as problem:  # startproject names it; the file may have been left out since
            if problem.name is None or not (module + ".").startswith(problem.name + "."):
                raise
    maker = "get_%s_application" % kind
    module = "django.core." + kind
    return "%s:%s()" % (module, maker), getattr(importlib.import_module(module), maker)()


def path_of(folder, name):
    return os.path.join(folder, *name.split(".")) + ".py"


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
