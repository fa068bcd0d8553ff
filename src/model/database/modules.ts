/**
 * Modules of the engine, and their settings. There are none yet: naming one is refused, and so are settings, since they
 * would do nothing.
 */
import { refused } from '../field.ts'
import { choice, flag, list, record, settings, whole } from '../shapes.ts'
import { moduleEntry, probabilisticSettings, searchSettings, timeseriesSettings } from './module-settings.ts'

const none = { accepts: [{}], why: 'Modules are not available yet.', code: 'missing_module' } as const
const EXTENDED = { 'x-shown': 'extended' } as const

const performance = settings(
  {
    active: flag(false, 'Give queries more processors.'),
    scaling_factor: whole(0, 'How many times as many.', { maximum: 16 }),
  },
  'More processors for queries.',
)

export const moduleFields = {
  module_list: refused(list(record(moduleEntry()), 'The modules that the database uses.', 100), {
    ...none,
    accepts: [[]],
  }),
  search: refused(choice(searchSettings(), 'Settings of search.'), none, EXTENDED),
  timeseries: refused(choice(timeseriesSettings(), 'Settings of time series.'), none, EXTENDED),
  probabilistic: refused(choice(probabilisticSettings(), 'Settings of probabilistic structures.'), none, EXTENDED),
  query_performance_factor: refused(performance, { ...none, accepts: [performance.default] }, EXTENDED),
}
