/** What is wrong with one field. */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

type Check = (value: unknown) => string | undefined;

const isNumber =
  (least: number): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value < 1e8 ? undefined : `has to be a number from ${least}`;

const matches =
  (pattern: RegExp, what: string): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : `has to be ${what}`;

const isDate: Check = (value) =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && new Date(value).toJSON()?.startsWith(value)
    ? undefined
    : 'has to be a date, YYYY-MM-DD';

const CHECKS: Readonly<Record<string, Check>> = {
  code: matches(/^\d{6}$/, 'six digits'),
  short: matches(/^[^\0-\x1f\x7f]{1,40}$/u, 'a name of 1 to 40 characters'),
  chg: isNumber(-100),
  turnover: isNumber(0),
  price: isNumber(0),
  highs: isNumber(0),
  time: isDate,
};

/** Everything that keeps a value from being a row of the table; empty when nothing does. */
export function checkStock(value: unknown): Problem[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ field: 'body', message: 'has to be an object' }];
  }
  const unknown = Object.keys(value).filter((field) => !Object.hasOwn(CHECKS, field) && field !== 'id');
  const problems = unknown.map((field) => ({ field, message: 'is unknown' }));
  for (const [field, check] of Object.entries(CHECKS)) {
    const message = check((value as Record<string, unknown>)[field]);
    if (message !== undefined) problems.push({ field, message });
  }
  return problems;
}
