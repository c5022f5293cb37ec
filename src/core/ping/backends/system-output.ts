import type { IpFamily } from '../../net/lookup.js';
import { describeIcmpError } from '../icmp-words.js';
import type { ProbeError, ProbeReply } from '../types.js';

/** What one run of a system's ping says. */
export type SystemOutcome = ProbeReply | ProbeError;

/** Any mention of a time this small stands for "under a millisecond". */
const UNDER_ONE_MS = 0.5;

/**
 * Reads the output of one echo request sent by the system's ping: iputils, BusyBox, inetutils, macOS or Windows.
 * `undefined` when it tells of neither a reply nor an error.
 */
export function parseSystemPing(output: string, family: IpFamily): SystemOutcome | undefined {
  for (const line of output.split(/\r?\n/)) {
    const outcome = parseUnixReply(line) ?? parseWindowsReply(line) ?? parseError(line, family);
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}

/** `64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.032 ms`; BusyBox says `seq=`, macOS for IPv6 `hlim=`. */
function parseUnixReply(line: string): SystemOutcome | undefined {
  const match = /^(\d+) bytes from (.+?)[:,] (?:icmp_)?seq=\d+ (?:ttl|hlim)=(\d+)(.*)/.exec(line);
  if (match === null) return undefined;
  const [, bytes, , ttl, rest = ''] = match;
  const time = /time=([\d.]+) ?ms/.exec(rest)?.[1];
  return { timeMs: Number(time ?? 0), bytes: Number(bytes), ttl: Number(ttl) };
}

/** `Reply from 127.0.0.1: bytes=32 time<1ms TTL=128`, in any language; IPv6 has the time only. */
function parseWindowsReply(line: string): SystemOutcome | undefined {
  const match = /: (?:\S+=(\d+) )?\S+?([=<])(\d+) ?ms(?: TTL=(\d+))?\s*$/i.exec(line);
  if (match === null) return undefined;
  const [, bytes, sign, time, ttl] = match;
  const timeMs = sign === '<' ? UNDER_ONE_MS : Number(time);
  const payload = Number(bytes ?? 0);
  return { timeMs, bytes: payload + 8, ttl: ttl === undefined ? null : Number(ttl) };
}

const WINDOWS_ERRORS: ReadonlyArray<readonly [words: RegExp, type: number, code: number]> = [
  [/TTL expired in transit/i, 11, 0],
  [/TTL expired during reassembly/i, 11, 1],
  [/Destination net unreachable/i, 3, 0],
  [/Destination host unreachable/i, 3, 1],
  [/Destination protocol unreachable/i, 3, 2],
  [/Destination port unreachable/i, 3, 3],
  [/Packet needs to be fragmented/i, 3, 4],
];

function parseError(line: string, family: IpFamily): SystemOutcome | undefined {
  const unix =
    /^From (\S+?)(?: \(.*\))?:? (?:icmp_)?seq=\d+ (.+)$/.exec(line) ??
    /^\d+ bytes from (\S+): (\D.+)$/.exec(line);
  if (unix !== null) {
    const [, from = '', message = ''] = unix;
    return { from, ...identify(message.trim(), family), message: message.trim() };
  }
  const windows = /^\S+ \S+ ([\d.]+|[\da-f:]+): (.+)$/i.exec(line);
  const known = WINDOWS_ERRORS.find(([words]) => words.test(line));
  if (known !== undefined) {
    const [, icmpType, icmpCode] = known;
    const message = describeIcmpError(family, { type: icmpType, code: icmpCode, info: 0 });
    return { from: windows?.[1] ?? null, icmpType, icmpCode, message };
  }
  const local = /^(?:ping6?|PING): (?:send(?:to|msg)|connect|transmit|local error)[^:.]*[:.] (.+?)\.?$/.exec(
    line,
  );
  if (local === null) return undefined;
  return { from: null, icmpType: null, icmpCode: null, message: local[1] ?? line };
}

/** Type and code by the words for them. */
function identify(message: string, family: IpFamily): Pick<ProbeError, 'icmpType' | 'icmpCode'> {
  const types = family === 4 ? [3, 11, 12, 4] : [1, 2, 3, 4];
  for (const type of types) {
    for (let code = 0; code < 16; code++) {
      const [words] = describeIcmpError(family, { type, code, info: 0 }).split(/ \(mtu|[=:]\s?\d/);
      if (words !== undefined && words.length > 8 && message.startsWith(words))
        return { icmpType: type, icmpCode: code };
    }
  }
  return { icmpType: null, icmpCode: null };
}
