/**
 * A timer that comes so much too late was not late: the whole process stood still (Ctrl-Z, a frozen container, a closed
 * lid). What peers have sent meanwhile is yet to be read, and nobody may be taken for silent.
 */
export const HELD_UP_MS = 1000;
