const TEXT = Symbol('text');

/**
 * Caches the text of each date in JSON, for a worker of the simulation. Its dates are never changed
 * and are shared by many rows: writing them took an eighth of its time.
 */
export function cacheDateText(): void {
  // oxlint-disable-next-line no-extend-native -- only in a process of its own
  Date.prototype.toJSON = function (this: Date & { [TEXT]?: string }) {
    return (this[TEXT] ??= this.toISOString());
  };
}
