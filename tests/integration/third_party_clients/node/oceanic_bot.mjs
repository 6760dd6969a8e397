// An oceanic.js bot; only the API's address differs from its documentation. Answers "ping" with a reply and a reaction, and /greet.
import { Client } from "oceanic.js";

const client = new Client({
  auth: `Bot ${process.env.TOKEN}`,
  gateway: { intents: ["GUILDS", "GUILD_MESSAGES", "MESSAGE_CONTENT"] },
  rest: { baseURL: `${process.env.SIMULATOR}/api/v10` },
});

client.on("ready", async () => {
  await client.application.bulkEditGlobalCommands([{ type: 1, name: "greet", description: "Greets you" }]);
  console.log(JSON.stringify({ ready: client.user.username, guilds: client.guilds.size }));
});
client.on("messageCreate", async (message) => {
  if (message.author.bot || message.content !== "ping") return;
  const answer = await client.rest.channels.createMessage(message.channelID, {
    content: "pong",
    messageReference: { messageID: message.id },
  });
  await message.createReaction("👍");
  await answer.edit({ content: "pong!" });
});
client.on("interactionCreate", async (interaction) => {
  if (interaction.isCommandInteraction()) await interaction.reply({ content: `Hello, ${interaction.user.username}` });
});
client.on("error", (error) => console.error(error));
process.on("SIGTERM", () => { client.disconnect(false); process.exit(0); });
await client.connect();
