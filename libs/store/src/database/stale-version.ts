/** A row changed between read and write. Cannot happen under the row lock; checked all the same. */
export class StaleVersionError extends Error {
  constructor(table: string, id: string) {
    super(`${table} ${id} has changed since it was read`);
    this.name = 'StaleVersionError';
  }
}
