import { Module, type DynamicModule } from '@nestjs/common';
import { CONTROL_DEPS, type ControlDeps } from './control-deps.ts';
import { ControlController } from './control.controller.ts';

@Module({})
class ControlModule {}

/** Makes the app's only module: the control requests and their dependencies. */
export const createControlModule = (deps: ControlDeps): DynamicModule => ({
  module: ControlModule,
  controllers: [ControlController],
  providers: [{ provide: CONTROL_DEPS, useValue: deps }],
});
