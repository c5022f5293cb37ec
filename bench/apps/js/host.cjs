/** `node host.cjs HOST APP PORT`: an application on the host its documentation names. */
const { createServer } = require('node:http');
const { pathToFileURL } = require('node:url');

const [host, file, port] = process.argv.slice(2);

import(pathToFileURL(file).href).then(({ default: app }) => {
  const at = { port: Number(port), hostname: '127.0.0.1', host: '127.0.0.1' };
  if (host === 'node:http') createServer(app).listen(at);
  else if (host === 'listen') app.listen(...(app.routing ? [at] : [at.port, at.host]));
  else if (host === 'srvx') require('srvx').serve({ ...at, fetch: app.fetch, silent: true });
  else require('@hono/node-server').serve({ ...at, fetch: app.fetch });
});
