import { type Command, InvalidArgumentError, Option } from 'commander';
import { collect } from './options.js';

/** Flags that say what is sent. */
export interface RequestFlags {
  readonly url?: readonly string[];
  readonly method?: string;
  readonly header?: readonly string[];
  readonly param?: readonly string[];
  readonly data?: readonly string[];
  readonly form?: boolean;
  readonly multipart?: boolean;
  readonly file?: readonly string[];
  readonly cookie?: readonly string[];
  readonly session?: string;
  readonly auth?: string;
  readonly authType?: 'basic' | 'digest';
  readonly bearer?: string;
  readonly netrc?: boolean;
  readonly netrcFile?: string;
  readonly compress?: boolean;
}

/** Declares {@link RequestFlags}. */
export function addRequestFlags(command: Command): void {
  command
    .optionsGroup('Request:')
    .option('--url <url>', 'one more URL to send the same request to (repeatable)', collect)
    .option('-p, --param <k=v>', 'add a query parameter (repeatable)', collect)
    .option('-H, --header <K: V>', 'add a header field, or the lines of @file (repeatable)', collect)
    .option('-d, --data <text>', 'send this text, @file or @- (stdin) as the body', collect)
    .option('--form', 'send the fields as a form instead of JSON')
    .option('--multipart', 'send the fields as multipart/form-data, as file fields are')
    .option('--file <field=@path>', 'add a file field, with ;type=… and ;filename=… (repeatable)', collect)
    .option('--cookie <k=v>', 'send a cookie (repeatable)', collect)
    .option(
      '--session <name|path>',
      'keep header fields, login and cookies under a name, or in a file (a path)',
    )
    .option('--auth <user:pass>', 'log in, by Basic unless --auth-type says otherwise')
    .addOption(new Option('--auth-type <type>', 'how to log in').choices(['basic', 'digest']))
    .option('--bearer <token>', 'log in with a bearer token')
    .option('--netrc', 'log in with what ~/.netrc has for the host')
    .option('--netrc-file <file>', 'the same with another file')
    .option('-X, --method <method>', 'use another method', parseMethod)
    .option('--compress', 'send the body compressed (gzip), when that makes it smaller');
}

/** A method is a token (RFC 9110, section 9.1); its case is not left to the typist. */
function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]+$/.test(method) || method === 'CONNECT') {
    throw new InvalidArgumentError(`'${text}' is not a method that can be sent.`);
  }
  return method;
}
