import { deriveRequest } from '../http/derived-request.js';
import type { Handler } from '../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../http/messages.js';
import { redirectTo } from './static/redirect.js';

/** A handler that knows nothing of where it is mounted, at a prefix: paths lose it on the way in, Locations get it back. */
export function underPrefix(handler: Handler, prefix: string): Handler {
  if (prefix === '') return handler;
  const encoded = prefix.split('/').map(encodeURIComponent).join('/');
  const outward = (response: HttpResponse): HttpResponse => {
    const headers = response.headers.map(([name, value]) =>
      name.toLowerCase() === 'location' && value.startsWith('/')
        ? ([name, encoded + value] as const)
        : ([name, value] as const),
    );
    return { ...response, headers };
  };
  return {
    handle(request: IncomingRequest) {
      const path = request.path.slice(prefix.length);
      // Relative links of the page work only below a slash.
      if (path === '') return redirectTo(`${prefix}/`, request);
      const response = handler.handle(deriveRequest(request, { path }));
      return response instanceof Promise ? response.then(outward) : outward(response);
    },
    ...(handler.close !== undefined && { close: () => handler.close?.() as Promise<void> }),
  };
}
