/**
 * What keeps a page up to date: it listens for changes, swaps style sheets in place and reloads for all else. A page
 * nobody sees lets go of its connection (browsers have six for a site) and catches up when it is looked at again.
 */
export const LIVE_SCRIPT = `
(() => {
  const script = document.currentScript;
  let version = script.dataset.version;
  let source;
  const reload = () => {
    // An upload that is under way is not cut off.
    if ('busy' in document.documentElement.dataset) setTimeout(reload, 300);
    else location.reload();
  };
  const swap = (link) => {
    const next = link.cloneNode();
    const url = new URL(link.href);
    url.searchParams.set('nettool', version);
    next.href = url;
    next.onload = next.onerror = () => link.remove();
    link.after(next);
  };
  const decode = (path) => {
    try { return decodeURIComponent(path); } catch { return path; }
  };
  const change = (paths) => {
    if (paths.length === 0 || !paths.every((path) => /\\.css$/i.test(path))) return reload();
    const links = [...document.querySelectorAll('link[rel~=stylesheet][href]')].filter((link) => new URL(link.href).origin === location.origin);
    const named = links.filter((link) => paths.includes(decode(new URL(link.href).pathname)));
    // A sheet that no link names may be imported by one.
    for (const link of named.length > 0 ? named : links) swap(link);
  };
  const listen = () => {
    source = new EventSource(new URL('events', script.src));
    source.addEventListener('hello', (event) => {
      if (event.data === version) return;
      // Two servers that take turns would have each other's pages reloaded for ever.
      let last = 0;
      try {
        last = Number(sessionStorage.getItem('nettool'));
        sessionStorage.setItem('nettool', Date.now());
      } catch {}
      if (Date.now() - last > 2000) reload();
      else version = event.data;
    });
    source.addEventListener('change', (event) => {
      const news = JSON.parse(event.data);
      version = news.version;
      change(news.paths);
    });
  };
  const look = () => {
    if (document.hidden) {
      source?.close();
      source = undefined;
    } else if (source === undefined) listen();
  };
  document.addEventListener('visibilitychange', look);
  addEventListener('pagehide', () => source?.close());
  addEventListener('pageshow', (event) => {
    if (event.persisted && !document.hidden) listen();
  });
  look();
})();
`;
