/** A row of the table `info`. */
export interface Stock {
  readonly id: number;
  /** Six digits, each only once. */
  readonly code: string;
  readonly short: string;
  /** Percent. */
  readonly chg: number;
  /** Percent. */
  readonly turnover: number;
  readonly price: number;
  readonly highs: number;
  /** YYYY-MM-DD. */
  readonly time: string;
}

/** A row that has no number yet. */
export type NewStock = Omit<Stock, 'id'>;

/** The table, whichever database it is in. */
export interface Database {
  list(limit?: number): Promise<Stock[]>;
  find(id: number): Promise<Stock | undefined>;
  findByCode(code: string): Promise<Stock | undefined>;
  /** Throws {@link DuplicateCode}. */
  add(stock: NewStock): Promise<Stock>;
  /** Whether there was such a row. Throws {@link DuplicateCode}. */
  replace(stock: Stock): Promise<boolean>;
  /** Whether there was such a row. */
  remove(id: number): Promise<boolean>;
}

/** There is a stock with this code already. */
export class DuplicateCode extends Error {
  constructor(code: string) {
    super(`the code ${code} is taken`);
  }
}

/** The columns, without the number. */
export const COLUMNS = ['code', 'short', 'chg', 'turnover', 'price', 'highs', 'time'] as const;

/** The values of a row in the order of {@link COLUMNS}. */
export function toValues(stock: NewStock): Array<string | number> {
  return COLUMNS.map((column) => stock[column]);
}

/** What a new table begins with. */
export const FIRST_ROWS: readonly NewStock[] = [
  { code: '000007', short: 'Quanxinhao', chg: 10.01, turnover: 4.4, price: 16.05, highs: 14.6, time: '2017-07-18' },
  { code: '000036', short: 'Union Holdings', chg: 10.04, turnover: 10.8, price: 11.29, highs: 10.26, time: '2017-07-20' },
  { code: '600082', short: 'Haitai Development', chg: 8.78, turnover: 6.32, price: 7.56, highs: 7.55, time: '2017-07-20' },
];

/** Opens the table a URL names, `sqlite:FILE` or `mysql://…`, and makes it when it is not there. */
export async function openDatabase(url: string): Promise<Database> {
  if (url.startsWith('sqlite:')) {
    const { openSqlite } = await import('./sqlite.js');
    return openSqlite(url.slice('sqlite:'.length));
  }
  if (/^(?:mysql|mariadb):/.test(url)) {
    const { openMysql } = await import('./mysql.js');
    return openMysql(url.replace(/^mariadb:/, 'mysql:'));
  }
  throw new Error(`DATABASE_URL begins with neither sqlite: nor mysql: (${url.split(':')[0]})`);
}
