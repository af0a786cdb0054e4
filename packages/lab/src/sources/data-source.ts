/** Where tables come from: rows of values by names. A plug-in may bring another. */
export interface DataSource {
  readonly name: string
  /** Whether it reads this file, by its name. */
  accepts(file: string): boolean
  /**
   * The rows. Values are texts, numbers, booleans or null.
   * @param query what is asked of a database; undefined where nothing was
   * @throws an Error that says what is wrong with the file
   */
  load(file: string, query: string | undefined): Promise<readonly Readonly<Record<string, unknown>>[]>
}
