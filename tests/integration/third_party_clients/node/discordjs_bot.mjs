// A discord.js bot as its guide writes one; only the API's address differs. Answers "ping" with a reply and a reaction, and /greet.
import { Client, Events, GatewayIntentBits } from "discord.js";

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
  rest: { api: `${process.env.SIMULATOR}/api` },
});

client.once(Events.ClientReady, async (ready) => {
  await ready.application.commands.set([{ name: "greet", description: "Greets you" }]);
  console.log(JSON.stringify({ ready: ready.user.username, guilds: ready.guilds.cache.size }));
});
client.on(Events.MessageCreate, async (message) => {
  if (message.author.bot || message.content !== "ping") return;
  const answer = await message.reply("pong");
  await message.react("👍");
  await answer.edit("pong!");
});
client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isChatInputCommand()) await interaction.reply(`Hello, ${interaction.user.username}`);
});
client.on(Events.Error, (error) => console.error(error));
process.on("SIGTERM", () => client.destroy().then(() => process.exit(0)));
await client.login(process.env.TOKEN);
