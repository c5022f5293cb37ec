import type { WorkerEvent } from '../../workers/types.js';

/** Which application was found, and how to ask for exactly this one. */
export interface ApplicationEvent {
  readonly type: 'application';
  readonly kind: 'wsgi' | 'asgi';
  /** `module:callable`. */
  readonly target: string;
  /** The target and flags that mean exactly this: `examples/app.py:app --wsgi --python /usr/bin/python3`. */
  readonly equivalent: string;
  readonly reason: string;
  readonly framework: string | null;
  readonly prefix: string;
  readonly python: string;
  readonly pythonVersion: string;
  /** Why this interpreter. */
  readonly pythonReason: string;
  readonly workers: number;
  readonly threads: number;
}

/** A line the application wrote. */
export interface ApplicationOutputEvent {
  readonly type: 'application-output';
  readonly pid: number | null;
  readonly stream: 'stdout' | 'stderr';
  readonly line: string;
}

/** A request the application has not answered itself, or a start or reload that failed; the reason is for the log. */
export interface ApplicationErrorEvent {
  readonly type: 'application-error';
  readonly message: string;
  readonly traceback?: string;
  readonly method?: string;
  readonly target?: string;
  readonly requestId?: string;
  /** What the client got, when there was still something to say. */
  readonly status?: number;
}

/** New code serves, or was found wanting. */
export interface ReloadEvent {
  readonly type: 'reload';
  readonly ok: boolean;
  readonly reason: string;
  readonly message?: string;
}

/** Everything a Python application's handler says. */
export type PythonEvent =
  | WorkerEvent
  | ApplicationEvent
  | ApplicationOutputEvent
  | ApplicationErrorEvent
  | ReloadEvent;
