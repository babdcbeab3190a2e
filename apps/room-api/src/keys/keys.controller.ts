import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { createKey, type KeyCaller } from '@partyline/conference/keys/create-key';
import { revokeKey } from '@partyline/conference/keys/revoke-key';
import { noSuchKey } from '@partyline/conference/errors';
import { rotateKey } from '@partyline/conference/keys/rotate-key';
import {
  CreateKey,
  ListKeys,
  RotateKey,
  type CreatedKey,
  type Key,
  type KeyPage,
  type RotatedKey,
} from '@partyline/contracts/keys/key';
import { listKeys, readKey } from '@partyline/store/keys/keys';
import { inTransaction } from '@partyline/store/database/store';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { CallerKey } from '../auth/caller.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, idPipe, noSuchPage, optionalBody, query } from '../input/parse.ts';
import { showKey } from './show.ts';

const keyId = idPipe(noSuchKey);

@Controller('v1/keys')
export class KeysController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @TenantId() tenantId: string,
    @CallerKey() own: KeyCaller,
    @Body(body(CreateKey)) { label, scopes, expiresAt }: CreateKey,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<CreatedKey> {
    const { row, key } = await createKey(this.deps, tenantId, own, {
      label,
      scopes,
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
    });
    recordChange({ after: { scopes: row.scopes, expiresAt: row.expires_at } });
    return { apiKey: showKey(row), key };
  }

  @Get()
  async list(@TenantId() tenantId: string, @Query(query(ListKeys)) { limit, after }: ListKeys): Promise<KeyPage> {
    if (after !== undefined && (await this.#read(tenantId, after)) === null) throw noSuchPage();
    const rows = await listKeys(this.deps.store, tenantId, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { shown, next } = toPage(rows, limit, ({ id }) => id);
    return { keys: shown.map(showKey), next };
  }

  @Get(':keyId')
  async get(@TenantId() tenantId: string, @Param('keyId', keyId) id: string): Promise<Key> {
    const row = await this.#read(tenantId, id);
    if (row === null) throw noSuchKey();
    return showKey(row);
  }

  @Post(':keyId/rotate')
  async rotate(
    @TenantId() tenantId: string,
    @CallerKey() own: KeyCaller,
    @Param('keyId', keyId) id: string,
    @Body(optionalBody(RotateKey)) { overlapSeconds }: RotateKey,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<RotatedKey> {
    const { old, row, key } = await rotateKey(this.deps, tenantId, own, id, { overlapS: overlapSeconds });
    recordChange({ after: { oldExpiresAt: old.expires_at } });
    return { apiKey: showKey(row), key, old: showKey(old) };
  }

  @Delete(':keyId')
  async revoke(
    @TenantId() tenantId: string,
    @CallerKey() own: KeyCaller,
    @Param('keyId', keyId) id: string,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Key> {
    const { before, after } = await revokeKey(this.deps, tenantId, own, id);
    recordChange({ before: { state: before.state }, after: { state: after.state } });
    return showKey(after);
  }

  #read(tenantId: string, id: string) {
    return inTransaction(this.deps.store, tenantId, (tx) => readKey(tx, tenantId, id));
  }
}
