import { DatabaseSync } from 'node:sqlite';
import { COLUMNS, type Database, DuplicateCode, FIRST_ROWS, type NewStock, type Stock, toValues } from './database.js';

const TABLE = `CREATE TABLE IF NOT EXISTS info (
  id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL UNIQUE, short TEXT NOT NULL, chg REAL NOT NULL,
  turnover REAL NOT NULL, price REAL NOT NULL, highs REAL NOT NULL, time TEXT NOT NULL)`;

const UNIQUE_VIOLATION = 2067;

/** The table in a file of SQLite, which several workers can have open. */
export function openSqlite(file: string): Database {
  const database = new DatabaseSync(file, { timeout: 5000 });
  database.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');
  database.exec(TABLE);
  const marks = COLUMNS.map(() => '?').join();
  const insert = database.prepare(`INSERT INTO info (${COLUMNS.join()}) VALUES (${marks})`);
  const isEmpty = database.prepare('SELECT id FROM info LIMIT 1').get() === undefined;
  if (isEmpty) for (const row of FIRST_ROWS) insert.run(...toValues(row));
  database.exec('COMMIT');

  const all = database.prepare('SELECT * FROM info ORDER BY id LIMIT ?');
  const byId = database.prepare('SELECT * FROM info WHERE id = ?');
  const byCode = database.prepare('SELECT * FROM info WHERE code = ?');
  const update = database.prepare(`UPDATE info SET ${COLUMNS.map((column) => `${column} = ?`).join()} WHERE id = ?`);
  const remove = database.prepare('DELETE FROM info WHERE id = ?');
  return {
    list: async (limit = 100) => all.all(limit) as unknown as Stock[],
    find: async (id) => byId.get(id) as Stock | undefined,
    findByCode: async (code) => byCode.get(code) as Stock | undefined,
    add: async (stock) => ({ id: Number(guard(stock, () => insert.run(...toValues(stock)).lastInsertRowid)), ...stock }),
    replace: async (stock) => guard(stock, () => update.run(...toValues(stock), stock.id).changes) > 0,
    remove: async (id) => remove.run(id).changes > 0,
  };
}

function guard<Result>(stock: NewStock, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    if ((error as { errcode?: number }).errcode === UNIQUE_VIOLATION) throw new DuplicateCode(stock.code);
    throw error;
  }
}
