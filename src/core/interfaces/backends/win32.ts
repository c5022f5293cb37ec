import { baseBackend } from './base.js';
export const windowsBackend = baseBackend;
