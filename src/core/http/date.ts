/** The three forms of an HTTP date (RFC 9110, section 5.6.7): IMF-fixdate, RFC 850's, asctime's. */
const IMF = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Milliseconds since 1970 of an HTTP date; `undefined` for anything else, which a recipient must ignore. */
export function parseHttpDate(text: string, nowMs: number = Date.now()): number | undefined {
  const ms = toMs(text, nowMs);
  return ms === undefined || Number.isNaN(ms) ? undefined : ms;
}

function toMs(text: string, nowMs: number): number | undefined {
  if (IMF.test(text)) return Date.parse(text);
  if (ASCTIME.test(text)) return Date.parse(`${text} GMT`);
  const match = RFC_850.exec(text);
  if (match === null) return undefined;
  const [, day, month, shortYear, time] = match;
  // A year more than 50 years ahead is the one a century before.
  const latest = new Date(nowMs).getUTCFullYear() + 50;
  const year = latest - ((((latest - Number(shortYear)) % 100) + 100) % 100);
  return Date.parse(`${day} ${month} ${year} ${time} GMT`);
}

/** An instant as IMF-fixdate; `undefined` when it cannot be written so. */
export function formatHttpDate(ms: number): string | undefined {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999 ? date.toUTCString() : undefined;
}
