// nettool serve examples/stock/app.ts
//
// The stock page, at http://127.0.0.1:8000/, and its rows as an API below /api/info. Its table is in a file of SQLite
// beside this one; in MariaDB or MySQL with
//   DATABASE_URL=mysql://user:password@localhost/stock nettool serve examples/stock/app.ts     (npm install mysql2)
import { readFileSync } from 'node:fs';
import { answerApi } from './api.js';
import { openDatabase, type Stock } from './database.js';
import { createTemplate, escapeHtml } from './template.js';

const database = await openDatabase(process.env.DATABASE_URL ?? `sqlite:${import.meta.dirname}/stock.sqlite`);
const layout = createTemplate(readFileSync(`${import.meta.dirname}/pages/layout.html`, 'utf8'));
const index = createTemplate(readFileSync(`${import.meta.dirname}/pages/index.html`, 'utf8'));

type Page = (params: Record<string, string | undefined>) => Promise<Response>;

const routes: ReadonlyArray<readonly [URLPattern, Page]> = [
  [new URLPattern({ pathname: '/{index.html}?' }), showAll],
  [new URLPattern({ pathname: '/stock/:code' }), showOne],
];

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/api/')) return answerApi(request, url, database);
    for (const [pattern, page] of routes) {
      const match = pattern.exec({ pathname: url.pathname });
      if (match === null) continue;
      if (request.method === 'GET' || request.method === 'HEAD') return page(match.pathname.groups);
      return new Response('only to be read\n', { status: 405, headers: { Allow: 'GET, HEAD' } });
    }
    return render(404, 'Not found', `<p>There is no page <code>${escapeHtml(url.pathname)}</code>.</p>`);
  },
};

async function showAll(): Promise<Response> {
  const rows = (await database.list()).map(toRow).join('\n');
  return render(200, 'Stocks', index({ rows }));
}

async function showOne({ code = '' }: { code?: string | undefined }): Promise<Response> {
  const stock = await database.findByCode(code);
  if (stock === undefined) return render(404, 'Not found', `<p>No stock has the code ${escapeHtml(code)}.</p>`);
  return render(200, stock.short, `<table>${toRow(stock)}</table>`);
}

function toRow({ id, code, short, chg, turnover, price, highs, time }: Stock): string {
  const cells = [id, code, short, `${chg}%`, `${turnover}%`, price.toFixed(2), highs.toFixed(2), time];
  return `<tr>${cells.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join('')}</tr>`;
}

function render(status: number, title: string, content: string): Response {
  const page = layout({ title: escapeHtml(title), content });
  return new Response(page, { status, headers: { 'Content-Type': 'text/html; charset=utf-8' } });
}
