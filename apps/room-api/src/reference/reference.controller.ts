import { Controller, Get, Header, Inject } from '@nestjs/common';
import { openApi, type OpenApi } from '@partyline/contracts/openapi';
import { Open } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { referencePage } from './page.ts';

/** The API about itself. */
@Open()
@Controller()
export class ReferenceController {
  private readonly document: OpenApi;
  private readonly page: string;

  constructor(@Inject(DEPS) deps: ApiDeps) {
    this.document = openApi(deps.version);
    this.page = referencePage(this.document);
  }

  @Get('v1/openapi.json')
  openApi(): OpenApi {
    return this.document;
  }

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  // Nothing is loaded and nothing runs: the page is all there is.
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  docs(): string {
    return this.page;
  }
}
