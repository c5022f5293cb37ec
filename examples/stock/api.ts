import { type Database, DuplicateCode, type NewStock } from './database.js';
import { checkStock, type Problem } from './check.js';

/**
 * GET and POST /api/info, GET, PUT and DELETE /api/info/ID. What is wrong with a body is told field by field (422).
 */
export async function answerApi(request: Request, url: URL, database: Database): Promise<Response> {
  const match = /^\/api\/info(?:\/(?<id>[^/]+))?$/.exec(url.pathname);
  if (match === null) return json(404, { detail: 'no such resource' });
  const id = match.groups?.id;
  try {
    return id === undefined
      ? await answerCollection(request, url, database)
      : await answerItem(request, toId(id), database);
  } catch (error) {
    if (error instanceof BadInput) return json(422, { detail: error.problems });
    if (error instanceof DuplicateCode) return json(409, { detail: error.message });
    throw error;
  }
}

async function answerCollection(request: Request, url: URL, database: Database): Promise<Response> {
  if (request.method === 'GET') return json(200, await database.list(toLimit(url.searchParams)));
  if (request.method !== 'POST') return notAllowed('GET, POST');
  const stock = await database.add(await readStock(request));
  return json(201, stock, { Location: `/api/info/${stock.id}` });
}

async function answerItem(request: Request, id: number, database: Database): Promise<Response> {
  const missing = (): Response => json(404, { detail: `no stock has the id ${id}` });
  switch (request.method) {
    case 'GET': {
      const stock = await database.find(id);
      return stock === undefined ? missing() : json(200, stock);
    }
    case 'PUT': {
      const stock = { id, ...(await readStock(request)) };
      return (await database.replace(stock)) ? json(200, stock) : missing();
    }
    case 'DELETE':
      return (await database.remove(id)) ? new Response(null, { status: 204 }) : missing();
    default:
      return notAllowed('GET, PUT, DELETE');
  }
}

class BadInput extends Error {
  readonly problems: readonly Problem[];
  constructor(...problems: Problem[]) {
    super('bad input');
    this.problems = problems;
  }
}

async function readStock(request: Request): Promise<NewStock> {
  let value: unknown;
  try {
    value = await request.json();
  } catch {
    throw new BadInput({ field: 'body', message: 'has to be JSON' });
  }
  const problems = checkStock(value);
  if (problems.length > 0) throw new BadInput(...problems);
  const { code, short, chg, turnover, price, highs, time } = value as NewStock;
  return { code, short, chg, turnover, price, highs, time };
}

function toId(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new BadInput({ field: 'id', message: 'has to be a positive integer' });
  return Number(text);
}

function toLimit(query: URLSearchParams): number {
  const text = query.get('limit') ?? '100';
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new BadInput({ field: 'limit', message: 'has to be 1 to 9999' });
  return Number(text);
}

function notAllowed(allow: string): Response {
  return json(405, { detail: 'method not allowed' }, { Allow: allow });
}

function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(value, { status, headers });
}
