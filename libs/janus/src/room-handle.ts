import { JanusError } from './janus-error.ts';
import { readBoolean, readId, readObjects, type JsonObject } from './read-json.ts';
import { JanusHandle, type HandleChannel, type PluginDialect } from './transport/handle.ts';

/** Error codes of a plugin with rooms. */
interface RoomErrors {
  readonly noSuchRoom: number;
  readonly roomExists: number;
}

/** A handle of a plugin with rooms: the requests that AudioBridge and VideoRoom have in common. */
export class RoomHandle<E extends { readonly type: string }> extends JanusHandle<E> {
  readonly #errors: RoomErrors;

  constructor(channel: HandleChannel, dialect: PluginDialect<E>, errors: RoomErrors) {
    super(channel, dialect);
    this.#errors = errors;
  }

  /** Ends a room and removes its participants. Returns false if it does not exist. */
  async destroyRoom(room: string, secret: string): Promise<{ existed: boolean }> {
    return { existed: await this.#requestUnless(this.#errors.noSuchRoom, 'destroy', { room, secret }) };
  }

  /** Returns the names of all rooms, also of private ones. */
  async listRooms(adminKey: string): Promise<string[]> {
    const { data } = await this.requestPlugin('list', { admin_key: adminKey });
    return readObjects(data, 'list').flatMap((each) => readId(each, 'room') ?? []);
  }

  async roomExists(room: string): Promise<boolean> {
    const { data } = await this.requestPlugin('exists', { room });
    return readBoolean(data, 'exists') ?? false;
  }

  /** Creates a room with the fields of the plugin. Returns false if it exists: it then keeps its old settings. */
  protected async requestRoom(fields: JsonObject): Promise<{ isNew: boolean }> {
    return { isNew: await this.#requestUnless(this.#errors.roomExists, 'create', fields) };
  }

  /** Returns false if the plugin rejects the request with this code. */
  async #requestUnless(code: number, request: string, fields: JsonObject): Promise<boolean> {
    try {
      await this.requestPlugin(request, fields);
      return true;
    } catch (error) {
      if (error instanceof JanusError && error.code === code) return false;
      throw error;
    }
  }
}
