/** Pieces of requests, right and wrong, for building ones that are nearly right. */
const METHODS = ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'get', 'BREW', 'CONNECT', 'PRI', ''];
const TARGETS = [
  '/',
  '/a?b',
  '*',
  'http://a/b',
  'http://u@a/',
  '//x',
  '/%41',
  '/%',
  '/%00',
  '/#',
  '/é',
  'a:80',
  '',
  '/a b',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
  '',
];
const FIELDS = [
  'Host: a',
  'Host: a',
  'Host: b:80',
  'Host: a b',
  'host:a',
  'Host : a',
  'Host:',
  'Content-Length: 3',
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length: ',
  'Content-Length: 0x3',
  'Content-Length: 18446744073709551619',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding:\tchunked\t',
  'Transfer-Encoding : chunked',
  ' Transfer-Encoding: chunked',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Expect: x',
  'X: y',
  'X: \x80\xff',
  'X: a\x00b',
  'X: a\rb',
  'X: a\nb',
  'X',
  ': x',
  '__proto__: x',
];
const BODIES = [
  '',
  'abc',
  '3\r\nabc\r\n0\r\n\r\n',
  '3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n',
  '3\nabc\r\n0\r\n\r\n',
  '3 \r\nabc\r\n0\r\n\r\n',
  'g\r\n',
  '0\r\n\r\n',
  '4\r\nabc\r\n0\r\n\r\n',
  '3\r\nabc0\r\n\r\n',
  '0x3\r\nabc\r\n0\r\n\r\n',
  '0\r\nContent-Length: 3\r\n\r\n',
];
const BYTES = ['\r', '\n', '\r\n', '\0', ' ', '\t', ':', ';', ',', '0', 'a', '\x7f', '\x80', '\xff', '\x0b'];

/** Numbers from a seed, always the same (mulberry32). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

/** One request or more, most of them wrong in one place or two. */
export function makeInput(random: (below: number) => number): string {
  const pick = (list: readonly string[]): string => list[random(list.length)] ?? '';
  const isGood = random(3) > 0;
  let text = isGood
    ? `${pick(METHODS.slice(0, 5))} ${pick(TARGETS.slice(0, 2))} HTTP/1.1\r\nHost: a\r\n`
    : '';
  if (!isGood) text = `${pick(METHODS)} ${pick(TARGETS)} ${pick(VERSIONS)}\r\n`;
  for (let count = random(4); count > 0; count -= 1) text += `${pick(FIELDS)}\r\n`;
  text += `\r\n${pick(BODIES)}`;
  for (let count = random(3); count > 0; count -= 1) {
    const at = random(text.length + 1);
    const what = random(3);
    if (what === 0) text = text.slice(0, at) + pick(BYTES) + text.slice(at);
    else if (what === 1) text = text.slice(0, at) + text.slice(at + 1);
    else text = text.slice(0, at) + pick(BYTES) + text.slice(at + 1);
  }
  return text;
}
