"""A reader who follows the tutorial and the READMEs literally, in an empty directory.

``make follow`` runs it. It understands the text around each code block, in English and in French:

- ``console``: a line that begins with ``$`` is typed into a terminal, the first one unless the sentence
  before the block names another ("In a second terminal"). What the block shows below must come out.
- ``python`` and ``ini``: a file. The sentence before the block names it, and says "Create", "Replace"
  or "Add to the end". Code for ``python manage.py shell`` is typed there.
- ``text``: a server, which runs in one of the terminals, prints this.
- Links to the development server are opened, and what the paragraph prints in **bold** must be on the
  page. "Stop ``runserver`` with Control-C" is done.
- A block after "Before Django 6.1" is for readers who have an older Django.

``...`` stands for anything. Times and ids may differ from those that the page shows, but an id must be
the same wherever it appears. Every block is used: a block that the reader does not understand is an
error, unless a comment, ``.. Not followed: REASON``, is in front of it.
"""
