/**
 * The rooms of the bench, all on one number. A room's ids and PIN are derived from its index in
 * every process.
 */
export const NUMBER = '+12025550100';

/** A prime, so that the PINs are spread over all nine-digit numbers without duplicates. */
const PIN_MODULUS = 899_999_981;

/** The room's PIN: nine digits, the first is not 0. */
export const pinOf = (room: number): string => String(100_000_000 + ((room * 48_611) % PIN_MODULUS));

/** Nine digits that are the PIN of no room. */
export const unknownPinOf = (call: number): string => `0${String(10_000_000 + (call % 90_000_000))}`;

const id = (prefix: string, room: number): string => `${prefix}_${String(room).padStart(22, '0')}`;
export const conversationOf = (room: number): string => id('conv', room);
export const roomIdOf = (room: number): string => id('room', room);
export const sessionIdOf = (room: number): string => id('ses', room);
export const pinIdOf = (room: number): string => id('pin', room);
