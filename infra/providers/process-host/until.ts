/**
 * Waits for something outside to come true, asking every few milliseconds.
 *
 * @returns whether it came true within `withinMs`
 */
export const until = async (condition: () => Promise<boolean>, withinMs: number): Promise<boolean> => {
  const deadline = performance.now() + withinMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    if (await condition()) return true
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
