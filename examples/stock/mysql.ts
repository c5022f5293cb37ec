import { createPool, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise';
import { COLUMNS, type Database, DuplicateCode, FIRST_ROWS, type NewStock, type Stock, toValues } from './database.js';

const TABLE = `CREATE TABLE IF NOT EXISTS info (
  id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, code CHAR(6) NOT NULL UNIQUE, short VARCHAR(40) NOT NULL,
  chg DECIMAL(10,2) NOT NULL, turnover DECIMAL(10,2) NOT NULL, price DECIMAL(10,2) NOT NULL,
  highs DECIMAL(10,2) NOT NULL, time DATE NOT NULL) DEFAULT CHARSET utf8mb4`;

/** The table in MariaDB or MySQL. */
export async function openMysql(uri: string): Promise<Database> {
  const pool = createPool({ uri, dateStrings: true, decimalNumbers: true, flags: ['FOUND_ROWS'] });
  await pool.query(TABLE);
  // Workers that start at the same time may all find it empty: what one has put in, the others leave.
  const [found] = await pool.query<RowDataPacket[]>('SELECT id FROM info LIMIT 1');
  const columns = COLUMNS.join();
  if (found.length === 0) {
    await pool.query(`INSERT IGNORE INTO info (${columns}) VALUES ?`, [FIRST_ROWS.map(toValues)]);
  }
  const select = async (rest: string, value: string | number): Promise<Stock[]> => {
    const [rows] = await pool.query<RowDataPacket[]>(`SELECT * FROM info ${rest}`, [value]);
    return rows as unknown as Stock[];
  };
  const write = async (sql: string, values: Array<string | number>): Promise<ResultSetHeader> => {
    const [result] = await pool.execute<ResultSetHeader>(sql, values);
    return result;
  };
  const marks = COLUMNS.map(() => '?').join();
  const settings = COLUMNS.map((column) => `${column} = ?`).join();
  return {
    list: (limit = 100) => select('ORDER BY id LIMIT ?', limit),
    find: async (id) => (await select('WHERE id = ?', id))[0],
    findByCode: async (code) => (await select('WHERE code = ?', code))[0],
    async add(stock) {
      const sql = `INSERT INTO info (${columns}) VALUES (${marks})`;
      const { insertId } = await guard(stock, write(sql, toValues(stock)));
      return { id: insertId, ...stock };
    },
    async replace(stock) {
      const sql = `UPDATE info SET ${settings} WHERE id = ?`;
      return (await guard(stock, write(sql, [...toValues(stock), stock.id]))).affectedRows > 0;
    },
    remove: async (id) => (await write('DELETE FROM info WHERE id = ?', [id])).affectedRows > 0,
  };
}

async function guard<Result>(stock: NewStock, writing: Promise<Result>): Promise<Result> {
  try {
    return await writing;
  } catch (error) {
    if ((error as { code?: string }).code === 'ER_DUP_ENTRY') throw new DuplicateCode(stock.code);
    throw error;
  }
}
