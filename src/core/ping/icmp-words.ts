import type { IpFamily } from '../net/lookup.js';

/** RFC 792 and RFC 1812 section 5.2.7.1, in iputils' words. */
const UNREACHABLE_4 = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  'Frag needed and DF set',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Prohibited',
  'Destination Host Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Packet filtered',
  'Precedence Violation',
  'Precedence Cutoff',
];

const REDIRECT_4 = [
  'Redirect Network',
  'Redirect Host',
  'Redirect Type of Service and Network',
  'Redirect Type of Service and Host',
];

/** RFC 4443 section 3.1. */
const UNREACHABLE_6 = [
  'No route',
  'Administratively prohibited',
  'Beyond scope of source address',
  'Address unreachable',
  'Port unreachable',
  'Source address failed ingress/egress policy',
  'Reject route to destination',
];

/** An ICMP error as the kernel or a packet states it. */
export interface IcmpError {
  readonly type: number;
  readonly code: number;
  /** The MTU, pointer or gateway field. */
  readonly info: number;
  /** Where a redirect points to. */
  readonly gateway?: string;
}

/** What an ICMP error says, in iputils' words. */
export function describeIcmpError(family: IpFamily, error: IcmpError): string {
  return family === 4 ? describeV4(error) : describeV6(error);
}

/** Whether an error is only a hint about a better way, and the probe goes on. */
export function isRedirect(family: IpFamily, type: number): boolean {
  return family === 4 ? type === 5 : type === 137;
}

function describeV4({ type, code, info, gateway }: IcmpError): string {
  switch (type) {
    case 3: {
      const words = UNREACHABLE_4[code] ?? `Dest Unreachable, Bad Code: ${code}`;
      return code === 4 ? `${words} (mtu = ${info & 0xffff})` : words;
    }
    case 4:
      return 'Source Quench';
    case 5:
      return `${REDIRECT_4[code] ?? `Redirect, Bad Code: ${code}`}(New nexthop: ${gateway ?? '?'})`;
    case 11:
      if (code > 1) return `Time exceeded, Bad Code: ${code}`;
      return code === 0 ? 'Time to live exceeded' : 'Frag reassembly time exceeded';
    case 12:
      return `Parameter problem: pointer = ${info >>> 24 || info}`;
    default:
      return `Bad ICMP type: ${type}`;
  }
}

function describeV6({ type, code, info }: IcmpError): string {
  switch (type) {
    case 1:
      return `Destination unreachable: ${UNREACHABLE_6[code] ?? `Unknown code ${code}`}`;
    case 2:
      return `Packet too big: mtu=${info}${code === 0 ? '' : `, code=${code}`}`;
    case 3:
      return `Time exceeded: ${['Hop limit', 'Defragmentation failure'][code] ?? `code ${code}`}`;
    case 4: {
      const what = ['Wrong header field', 'Unknown header', 'Unknown option'][code] ?? `code ${code}`;
      return `Parameter problem: ${what} at ${info}`;
    }
    default:
      return `unknown icmp type: ${type}`;
  }
}
