/** The result of writing rows with the first PIN key. */
export interface Rewrapped {
  readonly rewrapped: number;
  /** Rows that none of the keys has written. */
  readonly unreadable: number;
}
