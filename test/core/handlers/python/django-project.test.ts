import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { hostPython, without } from '../../../helpers/python.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const skip = without('django');

const SETTINGS = `SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "routes"
`;
const ROUTES = `import os
from django.http import HttpResponse
from django.urls import path
def show(request):
    return HttpResponse(os.environ["DJANGO_SETTINGS_MODULE"] + " " + os.environ.get("MADE_BY", "Django"))
urlpatterns = [path("", show)]
`;
const manage = (settings: string): string =>
  `import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "${settings}")\n`;
/** An entry module that sets what its settings look for, as those that load an .env file do. */
const entry = (kind: 'wsgi' | 'asgi', name: string): string => `import os
os.environ["MADE_BY"] = "${name}"
from django.core.${kind} import get_${kind}_application
application = get_${kind}_application()
`;
const AFTER_ENTRY = `${SETTINGS}import os\nos.environ["MADE_BY"]\n`;

interface Project {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
  readonly found: string;
  readonly says: string;
}

const PROJECTS: readonly Project[] = [
  {
    what: 'settings in a package of their own',
    files: {
      'manage.py': manage('config.settings.local'),
      'config/__init__.py': '',
      'config/settings/__init__.py': '',
      'config/settings/local.py': AFTER_ENTRY,
      'config/wsgi.py': entry('wsgi', 'config'),
    },
    found: 'config.wsgi:application',
    says: 'config.settings.local config',
  },
  {
    what: 'a project within a package',
    files: {
      'manage.py': manage('backend.core.settings'),
      'backend/__init__.py': '',
      'backend/core/__init__.py': '',
      'backend/core/settings.py': AFTER_ENTRY,
      'backend/core/wsgi.py': entry('wsgi', 'core'),
    },
    found: 'backend.core.wsgi:application',
    says: 'backend.core.settings core',
  },
  {
    what: 'everything beside manage.py',
    files: {
      'manage.py': manage('settings'),
      'settings.py': AFTER_ENTRY,
      'wsgi.py': entry('wsgi', 'beside'),
    },
    found: 'wsgi:application',
    says: 'settings beside',
  },
  {
    what: 'other settings by the environment',
    files: {
      'manage.py': manage('shop.settings'),
      'production.py': AFTER_ENTRY,
      'shop/__init__.py': '',
      'shop/wsgi.py': entry('wsgi', 'shop'),
    },
    env: { DJANGO_SETTINGS_MODULE: 'production' },
    found: 'shop.wsgi:application',
    says: 'production shop',
  },
  {
    what: 'settings that are assigned, and no wsgi.py',
    files: {
      'manage.py': 'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"\n',
      'shop/__init__.py': '',
      'shop/settings.py': AFTER_ENTRY,
      'shop/asgi.py': entry('asgi', 'asgi'),
    },
    found: 'shop.asgi:application',
    says: 'shop.settings asgi',
  },
  {
    what: 'an application that only the settings name',
    files: {
      'manage.py': manage('settings'),
      'settings.py': `${SETTINGS}WSGI_APPLICATION = "elsewhere.handler"\n`,
      'elsewhere.py': entry('wsgi', 'elsewhere').replace('application =', 'handler ='),
    },
    found: 'elsewhere:handler',
    says: 'settings elsewhere',
  },
  {
    what: 'no entry module at all, though the settings name one',
    files: {
      'manage.py': manage('settings'),
      'settings.py': `${SETTINGS}WSGI_APPLICATION = "shop.wsgi.application"\n`,
    },
    found: 'django.core.wsgi:get_wsgi_application()',
    says: 'settings Django',
  },
];

for (const { what, files, env, found, says } of PROJECTS) {
  test(`Django: ${what}`, { skip }, async (t) => {
    const cwd = tempDir(t);
    for (const [name, text] of Object.entries({ 'routes.py': ROUTES, ...files })) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), text);
    }
    const app = await hostPython(t, 'manage.py', { cwd, env: { ...process.env, ...env } });
    assert.equal(app.handler.application.target, found);
    assert.equal(await (await app.get('/')).text(), says);
  });
}
