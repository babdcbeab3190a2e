/** Listeners of typed events. `Events` has the argument of each event by its name. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(argument: never) => void>>();

  /** Calls the listener for each event of this name until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: (argument: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** An error of a listener is reported like any uncaught error; the other listeners run. */
  emit<Name extends keyof Events>(name: Name, argument: Events[Name]): void {
    // A copy, because listeners may add and remove listeners.
    for (const listener of Array.from(this.#listeners.get(name) ?? [])) {
      try {
        (listener as (argument: Events[Name]) => void)(argument);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
