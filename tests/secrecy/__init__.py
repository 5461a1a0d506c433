"""Looking for something that must not be there: in files, tables, queues, processes, answers.

`forms` is how a secret looks once something has encoded it, `scanner` searches for all of them,
`places` reads where it might lie, `spy` and `recorder` see what passes by, `network` and `journey`
are the network whose every place is searched. Nothing here prints what it found, only where.
"""
