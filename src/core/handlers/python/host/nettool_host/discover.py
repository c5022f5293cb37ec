"""Finds the application: which module, which name, and whether it is WSGI or ASGI."""

import importlib
import inspect
import os
import re
import sys

NAMES = ("app", "application", "api", "asgi", "wsgi")
FACTORIES = ("create_app", "make_app", "get_app")
FILES = ("manage.py", "app.py", "main.py", "wsgi.py", "asgi.py", "api.py")
FRAMEWORKS = ("flask", "django", "fastapi", "starlette", "falcon", "bottle", "quart", "litestar", "sanic", "aiohttp",
              "pyramid", "webob", "werkzeug", "cherrypy", "blacksheep", "channels", "connexion", "hug", "tornado")


class NotFound(Exception):
    """There is no application where one was looked for."""


class Found:
    def __init__(self, app, kind, target, reason):
        self.app = app
        self.kind = kind
        self.target = target
        self.reason = reason
        owner = (getattr(app, "__module__", None) or type(app).__module__ or "").split(".")[0]
        if owner not in FRAMEWORKS:
            owner = type(app).__module__.split(".")[0]
        self.framework = owner if owner in FRAMEWORKS else None


def find(config):
    """The application a target means; raises NotFound, or whatever its module raises."""
    target = config["target"]
    folder, module, name, place = locate(target, config.get("cwd") or os.getcwd())
    sys.path.insert(0, folder)
    if os.path.basename(module) == "manage":
        from .django_project import find_django

        found = find_django(folder, module, config)
        found.ask = place
        return found
    loaded = load_script(module, folder, place) if is_script(place, config) else importlib.import_module(module)
    attribute, value, reason = pick(loaded, name, config)
    kind = config.get("kind") or kind_of(value)
    if config.get("kind"):
        refuse_misfit(value, kind, "%s:%s" % (module, attribute))
    if kind is None:
        raise NotFound("%s:%s is neither a WSGI nor an ASGI application (%s)" % (module, attribute, describe(value)))
    if kind == "asgi" and is_asgi2(value):
        value = from_asgi2(value)
    found = Found(value, kind, "%s:%s" % (module, attribute), reason)
    found.ask = "%s:%s" % (place, attribute)
    return found


def locate(target, cwd):
    """(folder for sys.path, module name, attribute or None, module or file as given) of a target."""
    place, _, name = target.partition(":")
    if os.name == "nt" and len(place) == 1:
        place, _, name = target[2:].partition(":")
        place = target[:2] + place
    path = os.path.join(cwd, place)
    if os.path.isdir(path):
        for file in FILES:
            if os.path.isfile(os.path.join(path, file)):
                return os.path.abspath(path), file[:-3], name or None, os.path.normpath(os.path.join(place, file))
        raise NotFound("no application in %s (looked for %s)" % (place, ", ".join(FILES)))
    if place.endswith(".py"):
        if not os.path.isfile(path):
            raise NotFound("no such file: %s" % place)
        return locate_file(os.path.abspath(path)) + (name or None, place)
    if os.path.isfile(path + ".py") and os.sep in place:
        return locate_file(os.path.abspath(path + ".py")) + (name or None, place + ".py")
    if os.path.isfile(path) and (os.sep in place or place.endswith(".wsgi")):
        # A name of its own: shop.wsgi imports the package shop.
        module = re.sub(r"\W", "_", os.path.basename(path))
        return os.path.dirname(os.path.abspath(path)), module, name or None, place
    return cwd, place, name or None, place


def is_script(place, config):
    """Python in a file of another name: what Apache's mod_wsgi runs (`site.wsgi`), programs without an ending."""
    path = os.path.join(config.get("cwd") or os.getcwd(), place)
    return not place.endswith(".py") and (place.endswith(".wsgi") or os.sep in place) and os.path.isfile(path)


def load_script(module, folder, place):
    """Without importlib, whose cached bytecode of shop.wsgi would be taken for that of shop.py."""
    path = os.path.join(folder, os.path.basename(place))
    loaded = sys.modules[module] = type(sys)(module)
    loaded.__file__ = path
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), vars(loaded))
    return loaded


def locate_file(path):
    """A file inside packages is imported by its full name, so that its relative imports work."""
    folder, file = os.path.split(path)
    parts = [] if file == "__init__.py" else [file[:-3]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    return folder, ".".join(parts)


def pick(module, name, config):
    """(attribute, application, why this one)."""
    if name:
        return pick_named(module, name, config)
    if not config.get("factory"):
        for candidate in NAMES:
            value = getattr(module, candidate, None)
            if callable(value) and not inspect.ismodule(value):
                return candidate, value, "its name is the first of %s" % ", ".join(NAMES)
        instances = [key for key, value in vars(module).items() if is_instance_of_framework(value)]
        if len(instances) == 1:
            return instances[0], getattr(module, instances[0]), "the only application in the module"
    for candidate in FACTORIES:
        factory = getattr(module, candidate, None)
        if inspect.isroutine(factory):
            return candidate + "()", call_factory(factory, candidate), "what the factory makes"
    raise NotFound(
        "no application in the module %s: looked for %s, %s(); it has %s"
        % (module.__name__, ", ".join(NAMES), "(), ".join(FACTORIES), callables_of(module))
    )


def callables_of(module):
    names = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
    return ", ".join(names[:8]) or "no callables"


def pick_named(module, name, config):
    call = re.fullmatch(r"([\w.]+)\((.*)\)", name)
    value = module
    for part in (call.group(1) if call else name).split("."):
        if not hasattr(value, part):
            raise NotFound("the module %s has no %s; it has %s" % (module.__name__, name, callables_of(module)))
        value = getattr(value, part)
    if call or config.get("factory"):
        arguments = literal_arguments(call.group(2)) if call else ((), {})
        return name if call else name + "()", call_factory(value, name, *arguments), "as asked"
    if not callable(value):
        raise NotFound("%s:%s cannot be called (%s)" % (module.__name__, name, describe(value)))
    return name, value, "as asked"


def literal_arguments(text):
    """The literals of `create_app("production", debug=True)`; nothing is evaluated."""
    import ast

    try:
        node = ast.parse("f(%s)" % text, mode="eval").body
        positional = tuple(ast.literal_eval(argument) for argument in node.args)
        return positional, {word.arg: ast.literal_eval(word.value) for word in node.keywords}
    except (SyntaxError, ValueError, AttributeError):
        raise NotFound("the factory's arguments must be literals: (%s)" % text)


def call_factory(factory, name, positional=(), named=None):
    app = factory(*positional, **(named or {}))
    if app is None or not callable(app):
        raise NotFound("%s() made no application (%s)" % (name, describe(app)))
    return app


def is_instance_of_framework(value):
    owner = type(value).__module__.split(".")[0]
    return owner in FRAMEWORKS and callable(value) and not inspect.isroutine(value) and kind_of(value) is not None \
        and re.search(r"(App|Application|API|Flask|Starlette|FastAPI|Bottle|Quart|Litestar)$", type(value).__name__)


def kind_of(app):
    """'asgi', 'wsgi' or None, by how the application wants to be called."""
    function = app
    while hasattr(function, "__wrapped__") and not is_async(function):
        function = function.__wrapped__
    if is_async(function):
        return "asgi"
    count = positional_count(function)
    if inspect.isclass(app):
        return "asgi" if count == 1 else "wsgi" if count == 2 else None
    if count == 3:
        return "asgi"
    if count == 1:
        return "asgi" if is_asgi2(app) else None
    return "wsgi" if count in (2, None) else None


def refuse_misfit(app, kind, name):
    """What was asked for has to be possible: who cannot be called so would fail at every request."""
    if kind == "asgi" and is_asgi2(app):
        return
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*(None,) * (2 if kind == "wsgi" else 3))
        fits = kind == "asgi" or not is_async(app)
    except TypeError:
        fits = False
    if not fits:
        raise NotFound("%s is no %s application: it takes %s; leave --%s out" % (name, kind.upper(), signature, kind))


def is_async(app):
    import functools

    while isinstance(app, functools.partial):
        app = app.func
    call = getattr(app, "__call__", None)
    return inspect.iscoroutinefunction(app) or (not inspect.isclass(app) and inspect.iscoroutinefunction(call))


def positional_count(app):
    """How many positional arguments it needs; None when it takes any number or nobody knows."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for p in parameters if p.kind in places and p.default is p.empty)


def is_asgi2(app):
    """The double callable of ASGI 2: app(scope) gives what is awaited with (receive, send)."""
    if is_async(app):
        return False
    if inspect.isclass(app):
        return inspect.iscoroutinefunction(getattr(app, "__call__", None)) and positional_count(app) == 1
    return inspect.isfunction(app) and positional_count(app) == 1


def from_asgi2(app):
    async def call(scope, receive, send):
        await app(scope)(receive, send)

    return call


def describe(value):
    name = type(value).__name__
    return "it is None" if value is None else "it is %s %s" % ("an" if name[0] in "aeiou" else "a", name)
