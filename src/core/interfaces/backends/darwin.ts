import { baseBackend } from './base.js';
export const darwinBackend = baseBackend;
