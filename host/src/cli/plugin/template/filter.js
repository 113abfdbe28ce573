// What a plugin is asked and what it may say stands in wit/plugin.wit.
export const filter = {
  // `config` is what the subscription says to this plugin, as JSON. What is thrown as a string is an error in words.
  judge(event, config) {
    const { over = 100 } = JSON.parse(config) ?? {};
    const { total } = JSON.parse(new TextDecoder().decode(event.data));
    if (total > over) {
      return { tag: 'deliver' };
    }
    return { tag: 'drop', val: `${total} is not over ${over}` };
  },
};
