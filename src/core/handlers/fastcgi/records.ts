import { GatewayError } from '../../http/gateway-error.js';
import type { Variables } from '../cgi-env.js';

/** Record types (FastCGI 1.0, section 8). */
export const BEGIN_REQUEST = 1;
export const END_REQUEST = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;

const VERSION = 1;
const HEADER_BYTES = 8;
const RESPONDER = 1;
const KEEP_CONNECTION = 1;

/** The most one record is filled with: a multiple of eight, so that no padding is needed. */
export const MAX_CONTENT_BYTES = 65_528;

/** One request at a time on a connection: every one is number 1. */
export const REQUEST_ID = 1;

/** Content of any size as the records of a stream, without the empty one that ends it. */
export function encodeStream(type: number, content: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.byteLength; at += MAX_CONTENT_BYTES) {
    const piece = content.subarray(at, at + MAX_CONTENT_BYTES);
    pieces.push(recordHeader(type, piece.byteLength), piece);
  }
  return pieces;
}

/** The empty record that ends a stream. */
export function encodeEnd(type: number): Buffer {
  return recordHeader(type, 0);
}

const BEGIN =
  recordText(BEGIN_REQUEST, 8) +
  String.fromCharCode(RESPONDER >> 8, RESPONDER, KEEP_CONNECTION).padEnd(8, '\0');
const END_OF_PARAMS = recordText(PARAMS, 0);
const END_OF_STDIN = recordText(STDIN, 0);

/**
 * Opens a request to a responder, on a connection that is to stay: all of it but a body. A string with a character
 * per byte, as everything in it is one already, and a socket takes that as it is.
 */
export function encodeRequest(pairs: string, hasBody: boolean): string {
  const end = hasBody ? END_OF_PARAMS : END_OF_PARAMS + END_OF_STDIN;
  if (pairs.length <= MAX_CONTENT_BYTES) return BEGIN + recordText(PARAMS, pairs.length) + pairs + end;
  let text = BEGIN;
  for (let at = 0; at < pairs.length; at += MAX_CONTENT_BYTES) {
    const piece = pairs.slice(at, at + MAX_CONTENT_BYTES);
    text += recordText(PARAMS, piece.length) + piece;
  }
  return text + end;
}

/** Variables as the pairs of a PARAMS stream (FastCGI 1.0, section 3.4), without those of other names. */
export function encodePairs(variables: Variables, without: Variables = {}): string {
  let pairs = '';
  for (const name of Object.keys(variables)) {
    if (!Object.hasOwn(without, name)) pairs += encodePair(name, variables[name] as string);
  }
  return pairs;
}

/** One variable. */
function encodePair(name: string, value: string): string {
  return lengthText(name.length) + lengthText(value.length) + name + value;
}

/** A length of name-value pairs: one byte, or four (FastCGI 1.0, section 3.4). */
function lengthText(length: number): string {
  if (length < 128) return String.fromCharCode(length);
  return String.fromCharCode(
    (length >>> 24) | 0x80,
    (length >>> 16) & 0xff,
    (length >>> 8) & 0xff,
    length & 0xff,
  );
}

function recordText(type: number, contentBytes: number): string {
  return String.fromCharCode(VERSION, type, 0, REQUEST_ID, contentBytes >> 8, contentBytes & 0xff, 0, 0);
}

function recordHeader(type: number, contentBytes: number): Buffer {
  return Buffer.from([VERSION, type, 0, REQUEST_ID, contentBytes >> 8, contentBytes & 0xff, 0, 0]);
}

/** Takes what a {@link RecordParser} finds. */
export interface RecordSink {
  onStdout(bytes: Buffer): void;
  onStderr(bytes: Buffer): void;
  /** The request is over; `protocolStatus` 0 is well. */
  onEnd(protocolStatus: number): void;
}

/** Reads the records of one connection, cut wherever the network cut them. Throws at what is no FastCGI. */
export class RecordParser {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  readonly #end = Buffer.alloc(8);
  #headerBytes = 0;
  #type = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #endBytes = 0;

  push(chunk: Buffer, sink: RecordSink): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#contentLeft > 0) {
        const piece = chunk.subarray(at, at + this.#contentLeft);
        at += piece.byteLength;
        this.#contentLeft -= piece.byteLength;
        this.#take(piece, sink);
      } else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, chunk.byteLength - at);
        at += skipped;
        this.#paddingLeft -= skipped;
      } else {
        const copied = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes);
        at += copied;
        this.#headerBytes += copied;
        if (this.#headerBytes === HEADER_BYTES) this.#begin();
      }
    }
  }

  #begin(): void {
    const header = this.#header;
    this.#headerBytes = 0;
    const type = header[1] as number;
    if (header[0] !== VERSION) throw new GatewayError(502, 'the application does not speak FastCGI');
    if (header.readUInt16BE(2) !== REQUEST_ID)
      throw new GatewayError(502, 'a FastCGI record of another request');
    if (type !== STDOUT && type !== STDERR && type !== END_REQUEST) {
      throw new GatewayError(502, `an unexpected FastCGI record (type ${type})`);
    }
    this.#type = type;
    this.#contentLeft = header.readUInt16BE(4);
    this.#paddingLeft = header[6] as number;
    this.#endBytes = 0;
    if (type === END_REQUEST && this.#contentLeft !== 8) {
      throw new GatewayError(502, 'a malformed end of a FastCGI request');
    }
  }

  #take(piece: Buffer, sink: RecordSink): void {
    if (this.#type === STDOUT) sink.onStdout(piece);
    else if (this.#type === STDERR) sink.onStderr(piece);
    else {
      this.#endBytes += piece.copy(this.#end, this.#endBytes);
      if (this.#endBytes === 8) sink.onEnd(this.#end[4] as number);
    }
  }
}
