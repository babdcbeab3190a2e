/** The rooms of the bench, all on one number. Everything about a room follows from its index, so that the processes need not tell each other. */
export const NUMBER = '+12025550100';

/** A prime, so that the indices are spread over all nine-digit PINs without two being equal. */
const SPREAD = 899_999_981;

/** Nine digits, never beginning with 0. */
export const pinOf = (room: number): string => String(100_000_000 + ((room * 48_611) % SPREAD));

/** Has the shape of a PIN and is none of any room. */
export const wrongPin = (call: number): string => `0${String(10_000_000 + (call % 90_000_000))}`;

const id = (prefix: string, room: number): string => `${prefix}_${String(room).padStart(22, '0')}`;
export const conversationOf = (room: number): string => id('conv', room);
export const roomIdOf = (room: number): string => id('room', room);
export const sessionIdOf = (room: number): string => id('ses', room);
export const pinIdOf = (room: number): string => id('pin', room);
