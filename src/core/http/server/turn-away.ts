import type { Socket } from 'node:net';
import type { HttpResponse } from '../messages.js';
import { planAnswer } from './answer-head.js';
import type { Connection } from './connection.js';
import { plainAnswer, type ServerContext } from './context.js';
import { readFirst } from './first-bytes.js';
import { isAuthority, parseHead } from './parse-head.js';
import type { Peer } from './request.js';
import { sendContent } from './send-content.js';
import { Refusal } from './status.js';

/** Answers a head that no handler sees; the connection is then of no more use. */
export function refuseHead({ wire, context, peer }: Connection, refusal: Refusal): void {
  const response = plainAnswer(refusal.status);
  const plan = planAnswer({ method: 'GET', httpVersion: '1.1' }, response, false, context.clock);
  sendContent(wire, plan, response, {
    sent: (bytes) => context.reportRefusal(peer, refusal, bytes),
  });
}

/** How many of those that get no connection are told so at a time; the rest are just closed. */
const MAX_TOLD = 256;
let told = 0;

/** Answers 503 to a connection there is no room for. */
export function turnAway(socket: Socket, context: ServerContext): void {
  if (told >= MAX_TOLD) {
    socket.destroy();
    return;
  }
  told += 1;
  socket.once('close', () => {
    told -= 1;
  });
  const answer = plainAnswer(503);
  sendLast(socket, context, { ...answer, headers: [...answer.headers, ['Retry-After', '1']] });
}

/** Sends a client that speaks plain HTTP to the TLS port where it wanted to go. */
export function redirectToTls(socket: Socket, context: ServerContext, peer: Peer): void {
  const judge = (bytes: Buffer) => parseHead(bytes.toString('latin1'), 0, context.limits);
  readFirst(socket, context, judge, (head) => {
    if (head instanceof Refusal) {
      sendLast(socket, context, plainAnswer(head.status));
      return;
    }
    const target = head.target.startsWith('/') ? head.target : '/';
    const host = head.fields.host ?? '';
    const place = isAuthority(host) ? host.replace(/:\d*$/, '') : peer.localAddress;
    const port = peer.localPort === 443 ? '' : `:${peer.localPort}`;
    const answer = plainAnswer(308);
    const location = ['Location', `https://${place}${port}${target}`] as const;
    sendLast(socket, context, { ...answer, headers: [...answer.headers, location] });
  });
}

/** Sends an answer on a connection that gets no other, and lets the client read it. */
function sendLast(socket: Socket, context: ServerContext, response: HttpResponse): void {
  const { clock, timers } = context;
  const plan = planAnswer({ method: 'GET', httpVersion: '1.1' }, response, false, clock);
  const timed = { deadline: clock.after(timers.lingerMs), onDeadline: () => socket.destroy() };
  clock.watch(timed);
  socket.on('error', () => {});
  socket.once('close', () => clock.unwatch(timed));
  socket.end(`${plan.head}${response.body}`);
  socket.resume();
}
