// nettool serve examples/js/hello.ts
//
// The smallest application: what every fetch framework (Hono, h3, itty-router) exports, too.
export default {
  fetch(request: Request): Response {
    const name = new URL(request.url).searchParams.get('name') ?? 'world';
    return new Response(`hello ${name}\n`);
  },
};
