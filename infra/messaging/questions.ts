import { connect, type NatsConnection, type Subscription } from 'nats'
import { z } from 'zod'
import type { JsonValue } from '../../domain/kernel/json.ts'
import { connectionOptionsOf } from './nats-link.ts'

/** Answers one question; what it throws is not told to who asked, but that there is no answer. */
export type Answer = (question: JsonValue) => Promise<JsonValue>

/**
 * Questions about how things are at this moment, beside the orders: nothing is kept of them, each is asked once, and whoever
 * asks must do without an answer.
 */
export type Questions = {
  /**
   * @param topic what it is about
   * @throws when nobody answers within `timeoutMs`, or who answers could not find out
   */
  readonly ask: (topic: string, question: JsonValue, timeoutMs: number) => Promise<JsonValue>
  /** Answers questions on a topic, shared among all who do, until it is closed. */
  readonly serve: (topic: string, answer: Answer) => Promise<void>
  readonly close: () => Promise<void>
}

const Reply = z.union([z.object({ answer: z.json() }), z.object({ unanswered: z.literal(true) })])

const subjectOf = (topic: string): string => `ask.${topic}`

/**
 * Questions over NATS, without its store. Connects when it is first needed, and reconnects for ever.
 *
 * @param options.url as `natsMessaging` has it
 * @param options.onError told of questions that could not be answered here
 */
export const natsQuestions = ({ url, name, onError }: {
  readonly url: string
  readonly name: string
  readonly onError: (error: unknown) => void
}): Questions => {
  let connection: Promise<NatsConnection> | undefined
  const connected = (): Promise<NatsConnection> => {
    connection ??= connect({
      ...connectionOptionsOf(url), name, maxReconnectAttempts: -1, ignoreAuthErrorAbort: true, noAsyncTraces: true,
    }).catch((cause: unknown) => {
      connection = undefined
      throw new Error('there is no broker to ask by', { cause })
    })
    return connection
  }
  const answering: Promise<void>[] = []

  const replyTo = async (data: Uint8Array, answer: Answer): Promise<string> => {
    try {
      const question = z.json().parse(JSON.parse(new TextDecoder().decode(data)))
      return JSON.stringify({ answer: await answer(question) })
    } catch (error) {
      onError(error)
      return JSON.stringify({ unanswered: true })
    }
  }
  const answerAll = async (subscription: Subscription, answer: Answer): Promise<void> => {
    for await (const message of subscription) {
      // Side by side: one that takes its time does not hold up the others.
      void replyTo(message.data, answer).then((reply) => message.respond(new TextEncoder().encode(reply))).catch(onError)
    }
  }
  return {
    ask: async (topic, question, timeoutMs) => {
      const payload = new TextEncoder().encode(JSON.stringify(question))
      const message = await (await connected()).request(subjectOf(topic), payload, { timeout: timeoutMs }).catch(
        (cause: unknown) => {
          throw new Error(`nobody answered about ${topic}`, { cause })
        },
      )
      const reply = Reply.parse(JSON.parse(new TextDecoder().decode(message.data)))
      if ('unanswered' in reply) throw new Error(`who was asked about ${topic} could not find out`)
      return reply.answer
    },
    serve: async (topic, answer) => {
      const subscription = (await connected()).subscribe(subjectOf(topic), { queue: topic })
      answering.push(answerAll(subscription, answer))
    },
    close: async () => {
      const open = await connection?.catch(() => undefined)
      await open?.close()
      await Promise.allSettled(answering)
    },
  }
}
