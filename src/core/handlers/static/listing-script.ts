import { createHash } from 'node:crypto';

/**
 * Sorting and filtering without a round trip, local times, and the keyboard. The page works without it. Names are only
 * ever read from and written to the page as text.
 */
export const LISTING_SCRIPT = `
(() => {
  const table = document.querySelector('table');
  const body = table.tBodies[0];
  const search = document.querySelector('input[type=search]');
  const status = document.querySelector('[role=status]');
  const whole = table.dataset.pages === '1';
  const up = body.querySelector('tr.u');
  const rows = [...body.rows].filter((row) => row !== up);
  const total = status.textContent;
  const link = (row) => row.querySelector('a');
  const name = (row) => row.querySelector('bdi').textContent;
  const date = (row) => row.querySelector('time')?.dateTime ?? '';

  const two = (number) => String(number).padStart(2, '0');
  for (const time of document.querySelectorAll('td time')) {
    const at = new Date(time.dateTime);
    time.title = at.toISOString();
    time.textContent = at.getFullYear() + '-' + two(at.getMonth() + 1) + '-' + two(at.getDate()) + ' ' + two(at.getHours()) + ':' + two(at.getMinutes());
  }
  document.querySelector('.utc')?.remove();

  const filter = () => {
    const wanted = search.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !name(row).toLowerCase().includes(wanted);
      if (!row.hidden) shown += 1;
    }
    status.textContent = wanted === '' ? total : shown === 0 ? 'Nothing matches' : shown + ' of ' + rows.length + ' shown';
  };
  // With more pages than this one only the server can search them all; Enter asks it.
  if (whole && search.defaultValue === '') {
    search.addEventListener('input', filter);
    search.form.addEventListener('submit', (event) => {
      event.preventDefault();
      link(rows.find((row) => !row.hidden && link(row)) ?? up)?.focus();
    });
    if (search.value !== '') filter();
  } else {
    search.addEventListener('input', () => {
      status.textContent = search.value === search.defaultValue ? total : 'Enter searches the whole folder';
    });
  }

  const { compare } = new Intl.Collator('en', { numeric: true });
  const byName = (a, b) => compare(name(a), name(b));
  const orders = {
    name: byName,
    size: (a, b) => Number(a.dataset.s ?? -1) - Number(b.dataset.s ?? -1),
    date: (a, b) => (date(a) < date(b) ? -1 : Number(date(a) > date(b))),
  };
  const folder = (row) => (row.classList.contains('f') ? 0 : 1);
  const heads = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.sort);
  for (const head of heads) {
    head.querySelector('a').addEventListener('click', (event) => {
      if (!whole || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const sort = head.dataset.sort;
      const now = head.getAttribute('aria-sort');
      const down = now === null ? sort !== 'name' : now === 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const sign = down ? -1 : 1;
      rows.sort((a, b) => folder(a) - folder(b) || sign * orders[sort](a, b) || byName(a, b));
      body.append(...rows);
      const query = new URLSearchParams(location.search);
      query.set('sort', sort);
      query.set('order', down ? 'desc' : 'asc');
      history.replaceState(null, '', '?' + query);
    });
  }

  const move = (step) => {
    const links = [...body.rows].filter((row) => !row.hidden && link(row)).map(link);
    const at = links.indexOf(document.activeElement);
    const next = step === -Infinity ? 0 : step === Infinity ? links.length - 1 : at === -1 ? (step > 0 ? 0 : links.length - 1) : at + step;
    links[Math.max(0, Math.min(next, links.length - 1))]?.focus();
  };
  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    j: () => move(1),
    k: () => move(-1),
    Home: () => move(-Infinity),
    End: () => move(Infinity),
    '/': () => search.focus(),
    Backspace: () => up && link(up).click(),
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const inSearch = event.target === search;
    if (inSearch && event.key === 'Escape') {
      search.value = '';
      search.blur();
      if (whole) filter();
      return;
    }
    const typing = event.target.closest('input,textarea,select,button');
    if (typing && !(inSearch && event.key === 'ArrowDown')) return;
    const act = keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
})();
`;

/** A script as the source a Content-Security-Policy allows it by. */
export function scriptSource(script: string): string {
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}
