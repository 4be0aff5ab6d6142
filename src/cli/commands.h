/* The commands, in the order `help` lists them. */
#ifndef JL_CLI_COMMANDS_H
#define JL_CLI_COMMANDS_H

#define COMMAND_LIST(X)                                                                            \
    X(run, "continue a text")                                                                      \
    X(chat, "talk with a model in the terminal")                                                   \
    X(serve, "serve models by the OpenAI API")                                                     \
    X(tokenize, "text to token ids")                                                               \
    X(detokenize, "token ids to text")                                                             \
    X(tokenizer, "train a tokenizer from texts")                                                   \
    X(inspect, "what a model file holds and how it will run")                                      \
    X(plan, "the memory that a model will take")                                                   \
    X(logits, "logits of every position of a prompt, as float32")                                  \
    X(generate, "continue token ids")                                                              \
    X(score, "log-probabilities of given tokens")                                                  \
    X(render, "the prompt that a chat template makes of a conversation")                           \
    X(synth, "a GGUF of random weights at a real model's shape")                                   \
    X(quantize, "write a model as a GGUF file of other types")                                     \
    X(export, "write a model as a Hugging Face folder")                                            \
    X(imatrix, "which columns of the weights matter for a text")                                   \
    X(ppl, "perplexity of a text, and KL divergence from a reference")                             \
    X(pull, "get a model from Hugging Face, ModelScope or a mirror")                               \
    X(list, "the models that were pulled")                                                         \
    X(rm, "remove a pulled model")                                                                 \
    X(train, "train a model as a recipe says")                                                     \
    X(runs, "what trainings have told: lists, curves, samples")                                    \
    X(tune, "teach a model what a file of examples shows")                                         \
    X(eval, "measure what a model can do, by files of tasks")                                      \
    X(skill, "make tasks to learn from and to be judged by")                                       \
    X(bench, "prefill and decode speed of a model, or of the kernels")                             \
    X(help, "this list; also: help COMMAND, help env, help exit")

#define X(name, summary) int cmd_##name(int argc, char **argv);
COMMAND_LIST(X)
#undef X

#endif
