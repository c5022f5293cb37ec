import { getSystemErrorMessage } from 'node:util';
import { formatIpBytes } from '../../net/ip-bytes.js';
import type { IpFamily } from '../../net/lookup.js';
import { nameErrno } from '../../platform/libc.js';
import { describeIcmpError, isRedirect } from '../icmp-words.js';
import type { ProbeError } from '../types.js';
import type { ExtendedError } from './control.js';

const EMSGSIZE = 90;
/** The error is this system's own, not one an ICMP packet brought. */
export const ORIGIN_LOCAL = 1;

/** An ICMP error as an event's content. */
export function toProbeError(
  family: IpFamily,
  { type, code, info, offender }: Pick<ExtendedError, 'type' | 'code' | 'info' | 'offender'>,
): ProbeError {
  const gateway = Buffer.alloc(4);
  gateway.writeUInt32BE(info >>> 0);
  const tooBig = family === 4 ? type === 3 && code === 4 : type === 2;
  return {
    from: offender ?? null,
    icmpType: type,
    icmpCode: code,
    message: describeIcmpError(family, { type, code, info, gateway: formatIpBytes(gateway) }),
    ...(tooBig ? { mtu: info & 0xffff } : {}),
    ...(isRedirect(family, type) ? { notice: true } : {}),
  };
}

/** This system's own error from the error queue: above all a packet larger than the MTU. */
export function tooLong(family: IpFamily, { errno, info }: ExtendedError): ProbeError {
  return errno === EMSGSIZE
    ? { ...localError(errno), message: `message too long, mtu${family === 4 ? '=' : ': '}${info}`, mtu: info }
    : localError(errno);
}

/** What a failed send says. */
export function localError(errno: number): ProbeError {
  const words = getSystemErrorMessage(-errno) ?? nameErrno(errno);
  const message = words.charAt(0).toUpperCase() + words.slice(1);
  return { from: null, icmpType: null, icmpCode: null, message, code: nameErrno(errno) };
}
