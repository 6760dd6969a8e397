/**
 * The simulator's control API, one function per call.
 *
 * Every failure becomes an `ApiError` whose message is a sentence a person can act on: the server's own where it sent
 * one. Nothing else in the page calls `fetch`, but for the event stream.
 */

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

async function call(method, path, body) {
  const request = { method, headers: { accept: "application/json" }, cache: "no-store" };
  if (body instanceof FormData) request.body = body;
  else if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ApiError("The simulator can't be reached. Is it still running?", 0);
  }
  if (response.status === 204) return null;
  const text = await response.text();
  const answer = parseJson(text);
  if (response.ok && answer !== undefined) return answer;
  throw new ApiError(
    answer?.error ?? answer?.message ?? `${method} ${path} was answered with ${response.status}.`,
    response.status,
  );
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** An emoji as the path wants it: the sign itself, or `name:id`. */
export function emojiKey(emoji) {
  return emoji.id ? `${emoji.name}:${emoji.id}` : emoji.name;
}

const messagePath = (channelId, messageId) => `/sim/channels/${channelId}/messages/${messageId}`;

function messageBody({ userId, content, replyTo, nonce, files }) {
  const payload = { user_id: userId, content, nonce };
  if (replyTo) payload.reply_to = replyTo;
  if (!files?.length) return payload;
  const form = new FormData();
  payload.attachments = files.map((file, index) => ({ id: String(index), filename: file.name }));
  form.append("payload_json", JSON.stringify(payload));
  files.forEach((file, index) => form.append(`files[${index}]`, file, file.name));
  return form;
}

export const api = {
  eventsUrl: "/sim/events",

  state: () => call("GET", "/sim/state"),

  /**
   * @param {{before?: string, after?: string, around?: string, limit?: number}} range @returns messages, newest first
   */
  messages: (channelId, range = {}) =>
    call("GET", `/sim/channels/${channelId}/messages?${new URLSearchParams({ limit: 50, ...range })}`),

  /** @param {{userId, content, replyTo?, nonce, files?: File[]}} message */
  send: (channelId, message) => call("POST", `/sim/channels/${channelId}/messages`, messageBody(message)),

  edit: (channelId, messageId, content) => call("PATCH", messagePath(channelId, messageId), { content }),

  remove: (channelId, messageId) => call("DELETE", messagePath(channelId, messageId)),

  react: (channelId, messageId, emoji, userId, on) =>
    call(
      on ? "PUT" : "DELETE",
      `${messagePath(channelId, messageId)}/reactions/${encodeURIComponent(emojiKey(emoji))}?user_id=${userId}`,
    ),

  typing: (channelId, userId) => call("POST", `/sim/channels/${channelId}/typing`, { user_id: userId }),

  createThread: (channelId, name, messageId, userId) =>
    call("POST", `/sim/channels/${channelId}/threads`, {
      name,
      user_id: userId,
      ...(messageId ? { message_id: messageId } : {}),
    }),

  openDm: (userId, botId) => call("POST", "/sim/dms", { user_id: userId, bot_id: botId }),

  createUser: (username, globalName) => call("POST", "/sim/users", { username, global_name: globalName }),

  addMember: (guildId, userId) => call("POST", `/sim/guilds/${guildId}/members`, { user_id: userId }),

  createChannel: (guildId, name, parentId) =>
    call("POST", `/sim/guilds/${guildId}/channels`, { name, ...(parentId ? { parent_id: parentId } : {}) }),

  commands: (channelId) => call("GET", `/sim/commands?channel_id=${channelId}`),

  interact: (interaction) => call("POST", "/sim/interactions", interaction),
};
