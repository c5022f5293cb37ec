import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../src/core/http/handler.js';
import { ask, open } from './raw-http.js';
import { serve } from './servers.js';
import { countDescriptors } from './temp-dir.js';

/** A handler and where it can be asked for what; what a handler cannot do is left out. */
export interface HandlerUnderTest {
  create(t: TestContext): Handler | Promise<Handler>;
  /** Answers GET with this. */
  readonly small: { readonly path: string; readonly body: string };
  /** Answers GET with this many bytes, far more than any buffer holds. */
  readonly large: { readonly path: string; readonly sizeBytes: number };
  /** Answers 404. */
  readonly missing: string;
  /** Answers POST with the bytes it was sent. */
  readonly echo?: string;
  /** Answers with these values of one field, each on a line of its own. */
  readonly repeated?: { readonly path: string; readonly name: string; readonly values: readonly string[] };
  /** Makes the handler throw. */
  readonly failing?: string;
}

/** What everything that answers requests must do right, whatever it answers with; one suite for all of them. */
export function testHandlerContract(name: string, subject: HandlerUnderTest): void {
  const { small, large, missing, echo, repeated, failing } = subject;
  const start = async (t: TestContext) => serve(t, await subject.create(t));

  test(`${name} answers GET with the whole body`, async (t) => {
    const { port } = await start(t);
    const answer = await ask(port, small.path);
    assert.equal(answer.status, 200);
    assert.equal(answer.text, small.body);
  });

  test(`${name} answers HEAD with GET's head and no body`, async (t) => {
    const { port } = await start(t);
    const [get, head] = [await ask(port, small.path), await ask(port, small.path, { method: 'HEAD' })];
    const comparable = (fields: typeof get.fields) => fields.filter(([field]) => field !== 'Date');
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.deepEqual(comparable(head.fields), comparable(get.fields));
  });

  test(`${name} answers 404 for what it does not have`, async (t) => {
    const { port } = await start(t);
    assert.equal((await ask(port, missing)).status, 404);
  });

  test(`${name} streams a large body completely`, async (t) => {
    const server = await start(t);
    assert.equal((await ask(server.port, large.path)).body.length, large.sizeBytes);
    const event = await server.nextRequest();
    assert.equal(event.bytes, large.sizeBytes);
    assert.equal(event.aborted, undefined);
  });

  test(`${name} lets go of everything when clients leave early`, async (t) => {
    const server = await start(t);
    const leave = async (): Promise<void> => {
      const socket = await open(server.port, `GET ${large.path} HTTP/1.1\r\nHost: test\r\n\r\n`);
      await once(socket, 'data');
      socket.destroy();
      assert.equal((await server.nextRequest()).aborted, true);
    };
    // The first one brings in what is loaded once.
    await leave();
    const before = countDescriptors();
    for (let count = 0; count < 50; count += 1) await leave();
    const after = countDescriptors();
    if (before !== undefined && after !== undefined) assert.ok(after <= before + 2, `${before} → ${after}`);
    assert.equal((await ask(server.port, small.path)).status, 200);
  });

  test(`${name} can be closed more than once`, async (t) => {
    const handler = await subject.create(t);
    await handler.close?.();
    await handler.close?.();
  });

  if (echo !== undefined) {
    test(`${name} takes a large body and gives it back`, async (t) => {
      const { port } = await start(t);
      const body = Buffer.alloc(5_000_000, 'nettool ');
      assert.deepEqual((await ask(port, echo, { method: 'POST', body })).body, body);
    });
  }

  if (repeated !== undefined) {
    test(`${name} keeps repeated header fields apart`, async (t) => {
      const { port } = await start(t);
      const { fields } = await ask(port, repeated.path);
      const values = fields.filter(([field]) => field === repeated.name).map(([, value]) => value);
      assert.deepEqual(values, repeated.values);
    });
  }

  if (failing !== undefined) {
    test(`${name} that throws gives a 500 whose reason is in the log alone`, async (t) => {
      const server = await start(t);
      const answer = await ask(server.port, failing);
      const event = await server.nextRequest();
      assert.equal(answer.status, 500);
      assert.ok(event.reason !== undefined && event.reason.length > 0);
      assert.ok(!answer.text.includes(event.reason));
      assert.equal((await ask(server.port, small.path)).status, 200);
    });
  }
}
