export {
  type CheckFailure,
  type CheckReport,
  type FaultBand,
  namedModels as checkModels,
  type ShownOperation,
} from '@troupe/check'
export type { Asserted, Assertion } from './assertion.ts'
export type { Summary } from './assertions/statistics.ts'
export { checkBoundedFile, MAX_INPUT_BYTES, readBoundedText } from './bounded-file.ts'
export type { IgnoredField } from './chaos-mesh/fields.ts'
export { type ChaosExperiment, readChaosManifest } from './chaos-mesh/manifest.ts'
export type { ChaosCluster, PodOfNode } from './chaos-mesh/selectors.ts'
export { checkFileInWorker, checkInWorker, type WorkerCheckOptions } from './checking/check-in-worker.ts'
export type { CheckOutcome, CheckStage } from './checking/check-task.ts'
export type { CaseRun, Engine, EngineTask, RunFailure, RunNow } from './engine.ts'
export { EventLog, parseEventLog, readEventLog } from './events/event-log.ts'
export {
  EVENTS_VERSION,
  type MessageFacts,
  type MessageId,
  type NodeRole,
  type OnRunEvent,
  type RunEvent,
  type RunEventKind,
  type RunIdentity,
  type RunPhase,
  type TermRange,
} from './events/run-event.ts'
export { type ClockedEvent, clockedEvents, shivizOf } from './events/shiviz.ts'
export { aboutFigure, type FigureName, type Figures, figureNames } from './figures.ts'
export { type Judgement, judge } from './judge.ts'
export { type Loaded, loadFiles, scenarioFiles } from './load-files.ts'
export { RunMeter } from './measure/run-meter.ts'
export { MetricsServer } from './metrics/metrics-server.ts'
export { RunMetrics } from './metrics/run-metrics.ts'
export { type HistoryPage, historyPage } from './pages/history-page.ts'
export { type LaneBand, type LaneBar, type Lanes, lanesStyle, lanesSvg } from './pages/lanes.ts'
export type { PlugIn } from './plug-ins.ts'
export type { TableRow } from './reports/fault-tables.ts'
export { junitOf } from './reports/junit.ts'
export { ReportFolder } from './reports/report-folder.ts'
export { resultsOf } from './reports/results.ts'
export {
  type CaseResult,
  engineNames,
  runSuite,
  type ShownRun,
  type SuiteOptions,
  type SuiteProgress,
  type SuiteResult,
} from './run-suite.ts'
export { onEngine, withOptions } from './scenario/knobs.ts'
export { describeProblem, type PlacedProblem, ScenarioError } from './scenario/problems.ts'
export type { Case } from './scenario/read-scenario.ts'
export { type Scenario, scenario as scenarioSchema } from './scenario/scenario.ts'
export { jsonSchemaOf } from './schema/json-schema.ts'
export { publishedSchema } from './schema/published.ts'
export type { Path, Problem, Schema } from './schema/schema.ts'
export { byteRate, duration, percent, shift, span } from './schema/units.ts'
export { SimEngine, type SimEngineOptions } from './sim/sim-engine.ts'
export type { DataSource } from './sources/data-source.ts'
export { dataSources } from './sources/load-rows.ts'
export type { NetworkKind } from './tcp/tcp-cluster.ts'
export { TcpEngine, type TcpEngineOptions } from './tcp/tcp-engine.ts'
export { ThreadsEngine, type ThreadsEngineOptions } from './threads/threads-engine.ts'
