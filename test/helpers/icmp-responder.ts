import { encodeSockaddr } from '../../src/core/net/sockaddr.js';
import { checksum } from '../../src/core/ping/packet.js';
import { watchReadable } from '../../src/core/platform/ffi.js';
import { loadLibc } from '../../src/core/platform/libc.js';

/**
 * Answers ICMP echo requests badly, on purpose, in a namespace whose kernel is told not to answer itself:
 * 1 once, 2 twice, 3 after 4, 5 with a changed byte, 6 with a wrong checksum, 7 not at all, 8 cut short, the
 * rest rightly. Run by itself as a program; prints a line when it listens.
 */
function main(): void {
  const libc = loadLibc();
  if (libc === undefined) throw new Error('no FFI');
  const fd = libc.socket(2, 3 | 0x800, 1);
  if (fd < 0) throw new Error('no raw socket');
  const packet = Buffer.alloc(70_000);
  let held: { to: Buffer; reply: Buffer } | undefined;

  const send = (to: Buffer, reply: Buffer, sum = checksum(reply)): void => {
    reply.writeUInt16BE(sum, 2);
    libc.sendto(fd, reply, BigInt(reply.length), 0, to, to.length);
  };
  const answer = (to: Buffer, reply: Buffer): void => {
    const seq = reply.readUInt16BE(6);
    if (seq === 2) send(to, Buffer.from(reply));
    if (seq === 3) {
      held = { to, reply };
      return;
    }
    if (seq === 5) reply.writeUInt8(reply.readUInt8(40) ^ 0xff, 40);
    if (seq === 7) return;
    if (seq === 6) send(to, reply, 0x1234);
    else send(to, seq === 8 ? reply.subarray(0, 32) : reply);
    if (seq !== 4 || held === undefined) return;
    send(held.to, held.reply);
    held = undefined;
  };
  watchReadable(fd, () => {
    for (;;) {
      const length = libc.recv(fd, packet, BigInt(packet.length), 0x40);
      if (length < 0) return;
      const header = (packet.readUInt8(0) & 15) * 4;
      if (packet.readUInt8(header) !== 8) continue;
      const reply = Buffer.from(packet.subarray(header, length));
      reply.writeUInt8(0, 0);
      reply.writeUInt16BE(0, 2);
      answer(encodeSockaddr(packet.subarray(12, 16).join('.')), reply);
    }
  });
  process.stdout.write('ready\n');
}

main();
