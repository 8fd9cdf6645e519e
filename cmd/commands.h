/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_COMMANDS_H
#define SENTRY_CMD_COMMANDS_H

/* `sentry NAME ...`: @argv[0] is NAME. Each returns the process's exit code. */
int command_ps(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_top(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_report(int argc, char **argv);
int command_needs(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_coverage(int argc, char **argv);
int command_audit(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_run(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_syscalls(int argc, char **argv);
int command_surface(int argc, char **argv);

#endif
