/** The world moved on under a command that believed in an older version of a row. Cannot happen under the lock; checked all the same. */
export class StaleVersionError extends Error {
  constructor(table: string, id: string) {
    super(`${table} ${id} has changed since it was read`);
    this.name = 'StaleVersion';
  }
}
